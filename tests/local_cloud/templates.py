"""Small templates: an agent, and a service behind a load balancer."""

from __future__ import annotations

from tests.local_cloud.cloud_clients import role

READ_CODE = {"Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::code/*"}
WRITE_LOGS = {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}


def artifact(bucket="code", key="agent.zip", runtime="PYTHON_3_11"):
    location = {"S3": {"Bucket": bucket, "Prefix": key}}
    return {"CodeConfiguration": {"Code": location, "Runtime": runtime, "EntryPoint": ["main.py"]}}


def agent(
    name, mode="good", live="1", statements=(READ_CODE, WRITE_LOGS), service="bedrock-agentcore.amazonaws.com", **more
):
    """A runtime on platform V2, its role, and the endpoint `live` at a version."""
    runtime = {
        "AgentRuntimeName": name,
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "NetworkConfiguration": {"NetworkMode": "PUBLIC"},
        "PlatformVersion": "V2",
        "EnvironmentVariables": {"MODE": mode},
        "AgentRuntimeArtifact": artifact(),
        **more,
    }
    endpoint = {"AgentRuntimeId": {"Ref": "Agent"}, "Name": "live", "AgentRuntimeVersion": live}
    return {
        "Resources": {
            "Role": role(service, *statements),
            "Agent": {"Type": "AWS::BedrockAgentCore::Runtime", "Properties": runtime},
            "Live": {"Type": "AWS::BedrockAgentCore::RuntimeEndpoint", "Properties": endpoint},
        },
        "Outputs": {
            "Id": {"Value": {"Ref": "Agent"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Agent", "AgentRuntimeArn"]}},
            "Version": {"Value": {"Fn::GetAtt": ["Agent", "AgentRuntimeVersion"]}},
            "Status": {"Value": {"Fn::GetAtt": ["Agent", "Status"]}},
            "Endpoint": {"Value": {"Ref": "Live"}},
            "Live": {"Value": {"Fn::GetAtt": ["Live", "LiveVersion"]}},
            "Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
        },
    }


def service(mode="good", may_read=True, count=1, check=None):
    """A Fargate service behind a load balancer, with a secret, a health check and a circuit breaker."""
    read = [{"Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "Key"}}] if may_read else []
    log = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": {"Fn::GetAtt": ["Logs", "Arn"]}}
    return {
        "Resources": {
            "Key": _of(
                "SecretsManager::Secret", GenerateSecretString={"PasswordLength": 24, "ExcludePunctuation": True}
            ),
            "Vpc": _of("EC2::VPC", CidrBlock="10.0.0.0/16"),
            "Subnet": _of("EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.0.0/24"),
            "Logs": _of("Logs::LogGroup"),
            "ExecutionRole": role("ecs-tasks.amazonaws.com", *read, log),
            "TaskRole": role("ecs-tasks.amazonaws.com"),
            "Cluster": _of("ECS::Cluster"),
            "Balancer": _of("ElasticLoadBalancingV2::LoadBalancer", Subnets=[{"Ref": "Subnet"}], Scheme="internal"),
            "Targets": _targets(),
            "Listener": _listener(),
            "Definition": _definition(mode, check),
            "Service": _service(count),
        },
        "Outputs": {
            "Dns": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
            "Targets": {"Value": {"Ref": "Targets"}},
            "Cluster": {"Value": {"Ref": "Cluster"}},
            "Service": {"Value": {"Ref": "Service"}},
            "Definition": {"Value": {"Ref": "Definition"}},
            "Key": {"Value": {"Ref": "Key"}},
            "Logs": {"Value": {"Ref": "Logs"}},
            "TaskRole": {"Value": {"Fn::GetAtt": ["TaskRole", "Arn"]}},
        },
    }


def _of(kind, **properties):
    return {"Type": f"AWS::{kind}", "Properties": properties}


def _targets():
    return _of(
        "ElasticLoadBalancingV2::TargetGroup",
        Port=8000,
        Protocol="HTTP",
        TargetType="ip",
        VpcId={"Ref": "Vpc"},
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2,
        TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}],
    )


def _listener():
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}]
    return _of(
        "ElasticLoadBalancingV2::Listener",
        LoadBalancerArn={"Ref": "Balancer"},
        Port=8080,
        Protocol="HTTP",
        DefaultActions=forward,
    )


def _definition(mode, check):
    options = {"awslogs-group": {"Ref": "Logs"}, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}
    # No curl: the interpreter that runs the server asks it.
    ask = "python -c \"import urllib.request as u; u.urlopen('http://localhost:8000/x')\""
    container = {
        "Name": "app",
        "Image": "registry.example/tiny:1",
        "Essential": True,
        "Command": ["--port", "8000"],
        "StopTimeout": 5,
        "User": "1000",
        "ReadonlyRootFilesystem": True,
        "LinuxParameters": {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}},
        "Environment": [{"Name": "MODE", "Value": mode}],
        "Secrets": [{"Name": "KEY", "ValueFrom": {"Ref": "Key"}}],
        "PortMappings": [{"ContainerPort": 8000}],
        "HealthCheck": {"Command": ["CMD-SHELL", check or ask], "Interval": 5, "Retries": 2, "StartPeriod": 1},
        "LogConfiguration": {"LogDriver": "awslogs", "Options": options},
    }
    return _of(
        "ECS::TaskDefinition",
        RequiresCompatibilities=["FARGATE"],
        NetworkMode="awsvpc",
        Cpu="256",
        Memory="512",
        RuntimePlatform={"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
        ExecutionRoleArn={"Fn::GetAtt": ["ExecutionRole", "Arn"]},
        TaskRoleArn={"Fn::GetAtt": ["TaskRole", "Arn"]},
        ContainerDefinitions=[container],
    )


def _service(count):
    breaker = {"Enable": True, "Rollback": True}
    resource = _of(
        "ECS::Service",
        Cluster={"Ref": "Cluster"},
        TaskDefinition={"Ref": "Definition"},
        DesiredCount=count,
        LaunchType="FARGATE",
        HealthCheckGracePeriodSeconds=5,
        LoadBalancers=[{"ContainerName": "app", "ContainerPort": 8000, "TargetGroupArn": {"Ref": "Targets"}}],
        NetworkConfiguration={"AwsvpcConfiguration": {"Subnets": [{"Ref": "Subnet"}]}},
        DeploymentConfiguration={
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": breaker,
        },
    )
    return resource | {"DependsOn": ["Listener"]}
