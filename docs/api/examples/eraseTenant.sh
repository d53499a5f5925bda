# POST /admin/tenants/{id}/erase
# Repeat it with `?cursor=` and `next_cursor` while the status is 202.
curl -sS --fail-with-body -X POST "$CLAWLESS_URL/admin/tenants/$TENANT_ID/erase" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
