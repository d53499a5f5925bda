# DELETE /v1/responses/{id}
curl -sS --fail-with-body -X DELETE "$CLAWLESS_URL/v1/responses/$RESPONSE_ID" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
