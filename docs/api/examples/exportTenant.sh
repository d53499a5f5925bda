# GET /admin/tenants/{id}/export
# The next page: `?cursor=` and `next_cursor`, percent-encoded.
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/export" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
