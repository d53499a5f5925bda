# DELETE /v1/sessions/{id}/messages/{message_id}
curl -sS --fail-with-body -X DELETE "$CLAWLESS_URL/v1/sessions/$SESSION_ID/messages/$MESSAGE_ID" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
