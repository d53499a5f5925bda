# POST /v1/responses/{id}/cancel
curl -sS -X POST "$CLAWLESS_URL/v1/responses/$RESPONSE_ID/cancel" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
