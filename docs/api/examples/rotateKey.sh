# POST /admin/tenants/{id}/keys/{key}/rotate
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID/rotate" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"grace_seconds": 3600}'
