# GET /v1/conversations/{id}/items
curl -sS --fail-with-body "$CLAWLESS_URL/v1/conversations/$CONVERSATION_ID/items?order=asc&limit=10" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
