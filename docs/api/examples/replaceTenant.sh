# PUT /admin/tenants/{id}
curl -sS --fail-with-body -X PUT "$CLAWLESS_URL/admin/tenants/$TENANT_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"name": "Example", "tier": "pro", "system_prompt": "Be brief."}'
