# GET /v1/sessions/{id}/messages
curl -sS --fail-with-body "$CLAWLESS_URL/v1/sessions/$SESSION_ID/messages?order=desc&limit=10" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
