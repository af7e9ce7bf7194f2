"""EU AI Act, Regulation (EU) 2024/1689, Annex IV: the points of the technical documentation of high-risk systems."""

from __future__ import annotations

from edgekit.evidence.frameworks.requirement import Framework, Requirement

EU_ANNEX_IV = Framework(
    file="eu-ai-act-annex-iv.md",
    title="EU AI Act, Annex IV",
    scope="Points of the technical documentation in our words; the law's text decides, and whether it applies at all.",
    requirements=(
        Requirement(
            "1",
            "General description of the system",
            ("identity", "target", "interface", "packages", "model card"),
            "What is the intended purpose, who is the provider, and into which product is it built?",
        ),
        Requirement(
            "2 (a)",
            "Methods and steps of development",
            ("passes", "provenance"),
            "How was the network trained, on what?",
        ),
        Requirement(
            "2 (b)", "Design: choices and trade-offs", ("gates", "size"), "Which choices were made, and for whom?"
        ),
        Requirement(
            "2 (c)", "Architecture and computing resources", ("placement", "packages"), "What did training take?"
        ),
        Requirement(
            "2 (d)", "Data: origin, selection, labelling", ("data", "labels", "overlaps"), "How were the data labelled?"
        ),
        Requirement("2 (e)", "Human oversight", (), "Which measures of oversight are there (Article 14)?"),
        Requirement(
            "2 (f)", "Changes that are foreseen", ("floor", "expiry"), "Which changes are decided on in advance?"
        ),
        Requirement(
            "2 (g)",
            "Validation and testing",
            ("verdict", "gates", "metric", "statistics", "fairness", "robustness"),
            "Who has signed the test reports, and when?",
        ),
        Requirement(
            "2 (h)", "Cybersecurity", ("signature", "adversarial", "poisoning"), "How are devices and keys protected?"
        ),
        Requirement(
            "3",
            "Monitoring, functioning and control: accuracy, limits, inputs",
            ("metric", "slices", "limits", "outside", "preprocessing", "rollback"),
            "Which foreseeable outcomes are unintended, and which input data are suitable?",
        ),
        Requirement(
            "4", "Appropriateness of the performance metrics", ("gates", "statistics"), "Why do these metrics fit?"
        ),
        Requirement("5", "Risk management (Article 9)", ("limits",), "Where is the risk management system described?"),
        Requirement(
            "6", "Changes through the lifecycle", ("operation", "provenance"), "What was changed between versions?"
        ),
        Requirement("7", "Harmonised standards applied", (), "Which standards were applied, in full or in part?"),
        Requirement("8", "EU declaration of conformity (Article 47)", (), "Where is the signed declaration?"),
        Requirement(
            "9", "Monitoring after the market (Article 72)", ("operation", "incidents"), "Which plan is followed?"
        ),
    ),
)
