"""The baseline: a plain loop over CDK's own L2 construct, as a first version of any such toolkit would have it.

One stack for every hundred agents, no role of its own, no bundle, no endpoint, no log group, no cdk-nag.
"""

import os
import sys
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_bedrockagentcore as agentcore

_AGENTS_IN_A_STACK = 100

agents = int(sys.argv[1])
code = Path(os.environ["CDK_OUTDIR"]).parent / "code"
code.mkdir(exist_ok=True)
(code / "main.py").write_text("print('hello')\n")

app = cdk.App(context={"@aws-cdk/core:stackResourceLimit": 0})
for number in range(agents):
    if number % _AGENTS_IN_A_STACK == 0:
        stack = cdk.Stack(app, f"Stack{number}", env=cdk.Environment(account="111111111111", region="us-east-1"))
    agentcore.Runtime(
        stack,
        f"Agent{number}",
        runtime_name=f"agent_{number}",
        agent_runtime_artifact=agentcore.AgentRuntimeArtifact.from_code_asset(
            path=str(code), runtime=agentcore.AgentCoreRuntime.PYTHON_3_13, entrypoint=["main.py"]
        ),
        environment_variables={"KEY": "value"},
    )
app.synth()
