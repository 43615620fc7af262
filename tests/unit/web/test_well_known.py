"""`/.well-known/mta-sts.txt`: served at the policy host of a domain and nowhere else."""

from flask.testing import FlaskClient


def test_a_policy_host_serves_its_policy(client: FlaskClient) -> None:
    answer = client.get("/.well-known/mta-sts.txt", base_url="https://mta-sts.example.com")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.text == "version: STSv1\r\n"


def test_no_other_host_does(client: FlaskClient) -> None:
    answer = client.get("/.well-known/mta-sts.txt", base_url="https://mail.example.com")
    assert answer.status_code == 404
