"""The MCP service: some endpoints as tools that an assistant calls, by JSON-RPC at `/mcp` (behaviours §10)."""
