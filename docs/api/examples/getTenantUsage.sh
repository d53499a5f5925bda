# GET /admin/tenants/{id}/usage
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/usage" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
