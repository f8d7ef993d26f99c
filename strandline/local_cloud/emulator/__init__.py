"""What runs in the emulator's environment: MiniStack, and what it lacks for a deploy to be a real one.

It imports the standard library, `ministack` and `docker`, and nothing of the project.

    server        the process: MiniStack's application, our paths beside it, the end of it all
    processes     child processes that cannot outlive the emulator
    roles         credentials of roles for tasks and sessions, and questions to the policy evaluator
    containers/   a Docker client made of processes, for ECS where there is no Docker engine
    services      ECS services: health, rolling deployments, steady state
    balancer/     load balancers with addresses of their own, and real health checks
    agentcore/    AgentCore runtimes, endpoints and sessions
    cloudformation/  the resource types that MiniStack lacks or gets wrong
"""
