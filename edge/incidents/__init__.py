"""From findings to incidents (事件): the cards of the rules, the revisions that tell of an incident, and the book that keeps them in order."""

from edge.incidents.book import UNSAVED, UNSAVED_MOST, IncidentBook
from edge.incidents.cards import RULE_VERSION, RuleCard, RuleCards, rule_cards
from edge.incidents.keeper import Keeper
from edge.incidents.revision import EVIDENCE_FILES, thinned

__all__ = [
    "EVIDENCE_FILES",
    "RULE_VERSION",
    "UNSAVED",
    "UNSAVED_MOST",
    "IncidentBook",
    "Keeper",
    "RuleCard",
    "RuleCards",
    "rule_cards",
    "thinned",
]
