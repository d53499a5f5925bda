# POST /v1/conversations
curl -sS --fail-with-body "$CLAWLESS_URL/v1/conversations" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{"metadata": {"user": "42"}}'
