# GET /v1/sessions/{id}/tool_executions
curl -sS --fail-with-body "$CLAWLESS_URL/v1/sessions/$SESSION_ID/tool_executions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
