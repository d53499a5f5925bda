# POST /admin/tenants/{id}/keys
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{
    "name": "server",
    "scopes": ["chat", "sessions:read", "sessions:write"],
    "limits": {"requests_per_minute": 60}
  }'
