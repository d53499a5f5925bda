# PATCH /admin/tenants/{id}/keys/{key}
curl -sS --fail-with-body -X PATCH "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"limits": {"requests_per_minute": 60, "burst": 10}}'
