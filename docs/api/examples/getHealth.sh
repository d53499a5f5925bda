# GET /health
curl -sS --fail-with-body "$CLAWLESS_URL/health"
