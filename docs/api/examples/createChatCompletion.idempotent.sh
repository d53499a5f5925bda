# POST /v1/chat/completions
for attempt in 1 2; do
  curl -sS --fail-with-body "$CLAWLESS_URL/v1/chat/completions" \
    -H "authorization: Bearer $CLAWLESS_API_KEY" \
    -H "idempotency-key: $IDEMPOTENCY_KEY" \
    -H 'content-type: application/json' \
    -d '{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}'
done
