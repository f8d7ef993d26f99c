"""The CDK app: environments x blueprints, one `cdk.Stage` for each environment.

cdk deploy 'Production/*'                     one environment
cdk synth '**'                                all of them (the bare form passes over errors in stages)
cdk deploy 'Local/*' -c environment=local     synthesises that one only, which is faster
-c environments=FILE  -c blueprints=FOLDER    other inputs; -c releases=FOLDER too
-c schemas=true                               also holds every template to CloudFormation's schemas
"""

import os
import sys
from pathlib import Path

from agent_runtime.errors import StrandlineError
from strandline.toolchain import node_bin

try:
    # jsii takes whatever node is on the PATH, supported or not.
    os.environ.setdefault("JSII_NODE", str(node_bin() / "node"))
    from stacks.project import Inputs
    from stacks.synthesis import build_app, create_app

    app = create_app()
    context = app.node.try_get_context
    inputs = Inputs(
        environments=Path(context("environments") or "environments.yaml"),
        blueprints=Path(context("blueprints") or "blueprints"),
        home=Path(os.environ.get("STRANDLINE_HOME", ".strandline")),
        releases=Path(context("releases")) if context("releases") else None,
    )
    build_app(app, inputs, only=context("environment"), schemas=context("schemas") == "true").synth()
except StrandlineError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
