# GET /v1/responses/{id}/input_items
curl -sS --fail-with-body "$CLAWLESS_URL/v1/responses/$RESPONSE_ID/input_items?order=asc&limit=10" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
