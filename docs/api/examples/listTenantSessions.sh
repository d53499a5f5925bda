# GET /admin/tenants/{id}/sessions
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/sessions" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
