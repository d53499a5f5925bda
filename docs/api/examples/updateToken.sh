# PATCH /admin/tokens/{id}
curl -sS --fail-with-body -X PATCH "$CLAWLESS_URL/admin/tokens/$TOKEN_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"role": "viewer"}'
