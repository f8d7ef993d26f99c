"""What runs in Lambda while CloudFormation deploys: the standard library and boto3, which Lambda brings along.

Nothing here is imported at synth; `stacks/constructs/deployment_function.py` packs these files as they are.
"""
