# GET /admin/tenants/{id}/sessions/{session}/messages
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/sessions/$SESSION_ID/messages" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
