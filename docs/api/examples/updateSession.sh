# PATCH /v1/sessions/{id}
curl -sS --fail-with-body -X PATCH "$CLAWLESS_URL/v1/sessions/$SESSION_ID" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{"title": "About Ada", "metadata": {"user": "42"}}'
