"""The agent's tools: the blueprint's `tools`.

    toolbox.py       all tools of one agent; what the handler asks
    named_tools.py   `python: module:function` and `builtin: name`, resolved when the process starts
    mcp_server.py    `mcp`: one server, connected at the first request and again after a failure
    mcp_connection.py the connection itself, Strands' client
    mcp_tool.py      one tool of such a server, as Strands calls it
    mcp_transport.py how a server is reached; puts the secrets into the headers, request by request
    faults.py        what goes wrong, and who hears of it
    source_check.py  at synth: what the blueprint names stands in the user's code, without running it
    import_check.py  at synth: the user's code imports, in a process of its own

A tool's failure is told to the model, which may try something else; the caller hears of tools only when the agent
cannot have them at all.
"""

from agent_runtime.tools.faults import ToolsUnavailableError
from agent_runtime.tools.toolbox import ToolBox, build_toolbox

__all__ = ["ToolBox", "ToolsUnavailableError", "build_toolbox"]
