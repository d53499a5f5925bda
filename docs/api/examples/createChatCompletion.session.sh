# POST /v1/chat/completions
for question in 'My name is Ada.' 'What is my name?'; do
  curl -sS --fail-with-body "$CLAWLESS_URL/v1/chat/completions" \
    -H "authorization: Bearer $CLAWLESS_API_KEY" \
    -H "x-session-id: $SESSION_ID" \
    -H 'content-type: application/json' \
    -d "{\"model\": \"auto\", \"messages\": [{\"role\": \"user\", \"content\": \"$question\"}]}"
done
