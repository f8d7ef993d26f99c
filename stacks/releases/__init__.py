"""What staging and production deploy: `releases/<environment>.yaml`, and the bundles that it names. Imports no CDK."""
