# GET /v1/sessions/{id}/turns/{request_id}
curl -sS --fail-with-body -N "$CLAWLESS_URL/v1/sessions/$SESSION_ID/turns/$REQUEST_ID" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'accept: text/event-stream'
