# GET /v1/conversations/{id}
curl -sS --fail-with-body "$CLAWLESS_URL/v1/conversations/$CONVERSATION_ID" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
