"""What the AWS CLI makes of an environment and its files. A program of its own, because the CLI's
botocore cannot be loaded beside another: PYTHONPATH is what tests/packages/awscli prints, each line
of standard input {"env": {...}, "profile": name or null}, each of standard output the answer."""

import json
import os
import sys

import awscli.botocore.session

SERVICES = ("acm", "route53", "s3", "sts")


def key(session):
    """[key id, secret, token], "a role", or None when there are none or they cannot be had."""
    try:
        credentials = session.get_credentials()
        if credentials is None:
            return None
        if credentials.method.startswith("assume-role"):
            return "a role"
        frozen = credentials.get_frozen_credentials()
        return [frozen.access_key, frozen.secret_key, frozen.token or ""]
    except Exception:  # pylint: disable=broad-except
        return None


def endpoint(session, service, region):
    try:
        client = session.create_client(service, region_name=region, aws_access_key_id="A",
                                       aws_secret_access_key="s")
        return client.meta.endpoint_url.rstrip("/")
    except Exception:  # pylint: disable=broad-except
        return None


def resolve(profile, loader):
    session = awscli.botocore.session.Session(profile=profile)
    session.register_component("data_loader", loader)
    try:
        region = session.get_config_variable("region")
        return {"region": region, "key": key(session),
                "endpoints": {each: endpoint(session, each, region) for each in SERVICES}}
    except Exception as error:  # pylint: disable=broad-except
        return {"error": repr(error)}


def main():
    loader = awscli.botocore.session.Session().get_component("data_loader")
    for line in sys.stdin:
        case = json.loads(line)
        os.environ.clear()
        os.environ.update(case["env"])
        print(json.dumps(resolve(case["profile"], loader)))


if __name__ == "__main__":
    main()
