"""The blueprints of the published `agent-core` format's LiteLLM page, without the members that name the agent."""

PROXY = """\
model:
  provider: litellm
  model_id: ${ACTIVE_MODEL:-claude-sonnet-4-6}
  temperature: 0.2
  max_tokens: 8192
  base_url: https://llm.your-company.example.com
  api_key_env: LITELLM_API_KEY
gateway:
  auth_type: aws_iam
runtime:
  type: agentcore
  max_iterations: 10
  max_execution_time: 300
  idle_timeout_minutes: 20
  network_mode: PRIVATE
  protocol: HTTP
  port: 8080
  platform: linux/arm64
observability:
  enabled: true
  trace_attributes: {team: platform}
  data_protection:
    provider: presidio
    presidio_entities: [EMAIL_ADDRESS, PHONE_NUMBER]
    presidio_language: en
tags: [production, v2]
execution_modes: {simulation: true, staging: true, production: true}
"""

CLOUDFLARE = """\
model:
  provider: litellm
  model_id: claude-sonnet-4-6
  temperature: 0.3
  max_tokens: 4096
  base_url: https://gateway.ai.cloudflare.com/v1/YOUR_ACCOUNT_ID/YOUR_GATEWAY/openai
  api_key_env: CF_GATEWAY_API_KEY
  extra_headers_env:
    CF-Access-Client-Id: CF_ACCESS_CLIENT_ID
    CF-Access-Client-Secret: CF_ACCESS_CLIENT_SECRET
"""
