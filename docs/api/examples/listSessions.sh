# GET /v1/sessions
curl -sS --fail-with-body "$CLAWLESS_URL/v1/sessions?limit=20" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
