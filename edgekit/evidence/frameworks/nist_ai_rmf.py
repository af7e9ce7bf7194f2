"""NIST AI Risk Management Framework 1.0 (NIST AI 100-1): its categories, and the subcategories that facts answer."""

from __future__ import annotations

from edgekit.evidence.frameworks.requirement import Framework, Requirement

NIST_AI_RMF = Framework(
    file="nist-ai-rmf.md",
    title="NIST AI RMF 1.0",
    scope="Categories by number, and the subcategories that facts of this bundle answer. It is no assessment.",
    requirements=(
        Requirement(
            "GOVERN 1", "Policies and processes", (), "Who decides on risk, by which policies, and who reviews them?"
        ),
        Requirement(
            "GOVERN 1.6", "Inventory of systems", ("identity", "bom"), "In which inventory is this bundle registered?"
        ),
        Requirement("GOVERN 2", "Accountability", (), "Who answers for this model, and who was trained for it?"),
        Requirement("GOVERN 3", "Diversity of those who decide", (), "Who took part in the decisions on risk?"),
        Requirement("GOVERN 4", "Culture of risk", (), "How are doubts raised, and to whom?"),
        Requirement("GOVERN 5", "Engagement of others", (), "Whose feedback from outside is collected, and how?"),
        Requirement(
            "GOVERN 6.1",
            "Third parties: rights",
            ("data", "policy", "packages"),
            "Were licences of weights, data and packages read by somebody who may decide on them?",
        ),
        Requirement("GOVERN 6.2", "Third parties: contingency", (), "What is done if a supplier's model or data fail?"),
        Requirement("MAP 1", "Context", (), "What is the model for, for whom, and where must it not be used?"),
        Requirement(
            "MAP 2", "Categorization", ("identity", "interface"), "Which task does it support, and who oversees it?"
        ),
        Requirement(
            "MAP 3", "Capabilities, benefits, costs", ("cost",), "Which benefit is expected, against which alternative?"
        ),
        Requirement(
            "MAP 4.1",
            "Legal risks of components",
            ("packages", "data", "policy"),
            "Which laws and licences bind the use of this model?",
        ),
        Requirement("MAP 5", "Impact on people", (), "Who can be harmed, how likely, and how badly?"),
        Requirement(
            "MEASURE 1.1", "Choice of metrics", ("gates", "metric"), "Why are these metrics and limits the right ones?"
        ),
        Requirement(
            "MEASURE 1.3", "Independent review", (), "Who outside of the developers has looked at the figures?"
        ),
        Requirement(
            "MEASURE 2.1",
            "Test sets, metrics and tools",
            ("data", "samples", "gates", "packages"),
            "Is the evaluation set what users will bring?",
        ),
        Requirement("MEASURE 2.2", "Human subjects", ("privacy",), "Did people take part, and did they consent?"),
        Requirement(
            "MEASURE 2.3",
            "Performance in conditions like those of use",
            ("environment", "latency", "robustness", "metric"),
            "Which conditions of use were not measured?",
        ),
        Requirement(
            "MEASURE 2.4",
            "Monitoring in production",
            ("operation", "incidents"),
            "Who looks at the history of devices, and how often?",
        ),
        Requirement(
            "MEASURE 2.5",
            "Validity and its limits",
            ("verdict", "statistics", "limits", "outside"),
            "Beyond which inputs is the model not valid?",
        ),
        Requirement(
            "MEASURE 2.6", "Safe failure", ("rollback", "floor"), "What happens around the device when the model fails?"
        ),
        Requirement(
            "MEASURE 2.7",
            "Security and resilience",
            ("signature", "adversarial", "poisoning"),
            "Who can reach the inputs, the devices and the keys?",
        ),
        Requirement(
            "MEASURE 2.8", "Transparency", ("model card", "provenance"), "Whom do users ask, and what are they told?"
        ),
        Requirement("MEASURE 2.9", "Explanation", ("slices",), "How is an answer explained to whom it concerns?"),
        Requirement(
            "MEASURE 2.10", "Privacy", ("privacy",), "What of the inputs is kept or sent, on the device and beyond?"
        ),
        Requirement(
            "MEASURE 2.11",
            "Fairness",
            ("fairness", "slices"),
            "Which groups matter here, and are all of them measured?",
        ),
        Requirement(
            "MEASURE 2.12", "Energy", ("energy", "size", "placement"), "What did training and the data cost in energy?"
        ),
        Requirement(
            "MEASURE 2.13",
            "Validity of the measurement",
            ("statistics", "samples", "overlaps", "labels"),
            "Who checked the labels of the evaluation set?",
        ),
        Requirement(
            "MEASURE 3.1", "Tracking of risks", ("incidents", "limits"), "Which risks are tracked beside these?"
        ),
        Requirement(
            "MEASURE 4.3", "Changes of performance", ("operation", "verdict"), "Was the field's experience fed back?"
        ),
        Requirement(
            "MANAGE 1.1", "Decision to go on", ("verdict", "gates"), "Who decided to use it, knowing this verdict?"
        ),
        Requirement(
            "MANAGE 1.4", "Residual risks", ("limits", "slices"), "Which residual risks are accepted, and by whom?"
        ),
        Requirement(
            "MANAGE 2.2", "Value of what is deployed", ("floor", "expiry"), "Who renews or retires it, and when?"
        ),
        Requirement(
            "MANAGE 2.3", "Unknown risks", ("incidents", "rollback"), "Who is called when something new goes wrong?"
        ),
        Requirement(
            "MANAGE 2.4", "Switching off", ("rollback", "floor"), "Who may take it out of service, and how fast?"
        ),
        Requirement(
            "MANAGE 3.1", "Third parties", ("packages", "signature"), "Were weights from elsewhere verified? By whom?"
        ),
        Requirement(
            "MANAGE 4.1", "Monitoring after deployment", ("operation",), "Which plan of monitoring is followed?"
        ),
        Requirement("MANAGE 4.3", "Incidents", ("incidents",), "To whom were incidents told, and when?"),
    ),
)
