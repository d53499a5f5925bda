# GET /v1/models/{id…}
curl -sS --fail-with-body "$CLAWLESS_URL/v1/models/$MODEL" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
