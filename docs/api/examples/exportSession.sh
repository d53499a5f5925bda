# GET /v1/sessions/{id}/export
curl -sS --fail-with-body "$CLAWLESS_URL/v1/sessions/$SESSION_ID/export" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
