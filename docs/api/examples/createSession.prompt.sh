# POST /v1/sessions
curl -sS --fail-with-body "$CLAWLESS_URL/v1/sessions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{
    "title": "Trip to Rome",
    "metadata": {"plan": "gold"},
    "time_zone": "+01:00",
    "system_prompt": "Today is {{date}}. {{user}} has the plan {{session.metadata.plan}} and plans: {{session.title}}."
  }'
