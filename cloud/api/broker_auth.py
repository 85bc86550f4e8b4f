"""What a broker asks that has no files of ours: EMQX 5, HTTP authentication and authorisation.

Each answers 200 with `{"result": "allow" | "deny" | "ignore"}`; `ignore` leaves it to what else the broker was told to ask, and where
that is nothing, EMQX allows it: set `authorization.no_match = deny` there all the same, and `deny_action = disconnect` so that whoever
lost his credentials loses his connection with the next word. Whoever else has to read under `gw/` needs a rule that EMQX looks at before.

A node that nobody has accepted yet can wait in quarantine there as with mosquitto: whom another authenticator of the broker's has let in
under a plain node name gets `ignore` for the topics of that name alone, and needs a rule of the broker's own that allows them, such as
`{allow, all, publish, ["gw/1/+/${username}/up/#", "gw/1/+/${username}/status"]}` and
`{allow, all, subscribe, ["gw/1/+/${username}/down/#"]}`, looked at after these answers. Never let such names in without a password.

Wrong passwords are not counted: those of nodes are 192 random bits, and a bound for each name would let anybody who reaches the broker
shut a node out, or the cloud itself. The cloud's own has to be as long.
"""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.dependencies import Conn, Parts, bearer_token
from cloud.api.problems import RESPONSES
from cloud.enrolment import broker
from cloud.enrolment.broker import Action, Answer
from cloud.enrolment.command import cloud_user
from cloud.errors import NotSignedIn

router = APIRouter(prefix="/api/v1/broker", tags=["broker"], responses=RESPONSES)

broker_secret = HTTPBearer(
    scheme_name="broker", description="The secret of GRIDWARD_BROKER_AUTH_SECRET", auto_error=False
)

LongName = Annotated[str, Field(max_length=200)]


class BrokerLogin(BaseModel):
    """A client at the door of the broker."""

    model_config = ConfigDict(extra="ignore")

    username: LongName
    password: Annotated[str, Field(max_length=500)] = ""
    clientid: Annotated[str, Field(max_length=500)] = ""


class BrokerWish(BaseModel):
    """What a client wants to do at the broker."""

    model_config = ConfigDict(extra="ignore")

    username: LongName
    topic: Annotated[str, Field(max_length=1_000)]
    action: Action
    clientid: Annotated[str, Field(max_length=500)] = ""


class BrokerAnswer(BaseModel):
    """The answer in the words of EMQX."""

    result: Answer
    is_superuser: bool = False


def from_the_broker(request: Request, parts: Parts, _secret: Annotated[object, Depends(broker_secret)]) -> None:
    """Lets only a broker pass that shows our secret. Raises NotSignedIn."""
    expected, offered = parts.settings.broker_auth_secret, bearer_token(request)
    if expected is None or offered is None:
        raise NotSignedIn("the broker's own secret is needed")
    if not hmac.compare_digest(offered.encode("utf-8", "surrogateescape"), expected.get_secret_value().encode()):
        raise NotSignedIn("the broker's own secret is needed")


AsBroker = [Depends(from_the_broker)]


@router.post("/auth", dependencies=AsBroker)
def authenticate_client(conn: Conn, parts: Parts, body: BrokerLogin) -> BrokerAnswer:
    """Whether a client is who it says it is."""
    found = broker.authenticate(conn, body.username, body.password, cloud_user(parts.settings), now=parts.clock())
    return BrokerAnswer(result=found)


@router.post("/acl", dependencies=AsBroker)
def authorise_client(conn: Conn, parts: Parts, body: BrokerWish) -> BrokerAnswer:
    """Whether a client may publish on a topic, or subscribe to a filter."""
    found = broker.authorise(
        conn, body.username, body.action, body.topic, cloud_user(parts.settings), now=parts.clock()
    )
    return BrokerAnswer(result=found)
