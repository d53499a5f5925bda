# POST /v1/chat/completions
curl -sS --fail-with-body "$CLAWLESS_URL/v1/chat/completions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{
    "model": "auto",
    "messages": [{"role": "user", "content": "Describe the capital of Switzerland."}],
    "response_format": {
      "type": "json_schema",
      "json_schema": {
        "name": "city",
        "strict": true,
        "schema": {
          "type": "object",
          "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
          "required": ["name", "population"],
          "additionalProperties": false
        }
      }
    }
  }'
