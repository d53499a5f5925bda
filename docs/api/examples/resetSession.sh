# POST /v1/sessions/{id}/reset
curl -sS --fail-with-body -X POST "$CLAWLESS_URL/v1/sessions/$SESSION_ID/reset" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
