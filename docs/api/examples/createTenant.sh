# POST /admin/tenants
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{
    "name": "Example",
    "tier": "pro",
    "quotas": {"micro_dollars_per_month": 50000000},
    "system_prompt": "Be brief."
  }'
