"""ISO/IEC 42001:2023, Annex A: numbers and titles of its controls, as public tables of contents list them."""

from __future__ import annotations

from edgekit.evidence.frameworks.requirement import Framework, Requirement

ISO_42001 = Framework(
    file="iso-42001.md",
    title="ISO/IEC 42001:2023, Annex A",
    scope="Controls by number and title; their text is in the standard, which you must have. It is no audit.",
    requirements=(
        Requirement("A.2.2", "AI policy", (), "Which policy holds, and who has approved it?"),
        Requirement("A.2.3", "Alignment with other policies", (), "With which policies does it agree?"),
        Requirement("A.2.4", "Review of the AI policy", (), "When was it reviewed last?"),
        Requirement("A.3.2", "AI roles and responsibilities", (), "Who is responsible for this model?"),
        Requirement("A.3.3", "Reporting of concerns", (), "Where are concerns reported?"),
        Requirement(
            "A.4.2", "Resource documentation", ("bom", "packages"), "Which resources are missing from this list?"
        ),
        Requirement("A.4.3", "Data resources", ("data", "overlaps"), "Who owns each set, and how long is it kept?"),
        Requirement("A.4.4", "Tooling resources", ("packages", "passes"), "Which tools were used before the build?"),
        Requirement("A.4.5", "System and computing resources", ("target", "environment"), "On what was it trained?"),
        Requirement("A.4.6", "Human resources", (), "Which competence do those have who made and use it?"),
        Requirement("A.5.2", "Process of impact assessment", (), "Which process was followed?"),
        Requirement("A.5.3", "Documentation of impact assessments", (), "Where is the assessment?"),
        Requirement("A.5.4", "Impact on individuals or groups", ("fairness",), "Who is affected, and how?"),
        Requirement("A.5.5", "Impact on society", (), "What does it change beyond its users?"),
        Requirement("A.6.1.2", "Objectives for responsible development", (), "Which objectives were set?"),
        Requirement("A.6.1.3", "Processes for responsible design", (), "Which process was followed?"),
        Requirement(
            "A.6.2.2", "Requirements and specification", ("gates", "interface"), "Where do the limits come from?"
        ),
        Requirement("A.6.2.3", "Documentation of design", ("passes", "placement"), "Why this architecture?"),
        Requirement(
            "A.6.2.4",
            "Verification and validation",
            ("verdict", "gates", "metric", "statistics", "robustness"),
            "Who has accepted the criteria, and this result?",
        ),
        Requirement("A.6.2.5", "Deployment", ("target", "signature", "rollback"), "Who releases it to devices?"),
        Requirement(
            "A.6.2.6", "Operation and monitoring", ("operation", "incidents"), "Who watches it, and what is repaired?"
        ),
        Requirement(
            "A.6.2.7", "Technical documentation", ("model card", "bom", "provenance"), "Who needs which part of it?"
        ),
        Requirement("A.6.2.8", "Recording of event logs", ("operation",), "Where are the histories of devices kept?"),
        Requirement("A.7.2", "Data for development", ("data",), "How are the sets managed?"),
        Requirement("A.7.3", "Acquisition of data", ("data", "policy"), "How was each set obtained?"),
        Requirement(
            "A.7.4", "Quality of data", ("data", "overlaps", "labels", "poisoning"), "Which quality is enough here?"
        ),
        Requirement("A.7.5", "Provenance of data", ("data",), "What happened to the data before they were a set?"),
        Requirement(
            "A.7.6", "Preparation of data", ("preprocessing", "passes"), "How were samples chosen and labelled?"
        ),
        Requirement(
            "A.8.2",
            "System documentation for users",
            ("model card", "limits"),
            "Which users get it, in which language?",
        ),
        Requirement("A.8.3", "External reporting", (), "How can people outside report adverse effects?"),
        Requirement("A.8.4", "Communication of incidents", ("incidents",), "Who was told of each incident, and when?"),
        Requirement("A.8.5", "Information for interested parties", (), "Which duties to inform hold?"),
        Requirement("A.9.2", "Processes for responsible use", (), "Which processes hold where it is used?"),
        Requirement("A.9.3", "Objectives for responsible use", (), "Which objectives hold there?"),
        Requirement(
            "A.9.4", "Intended use", ("identity", "target", "limits"), "For which use is it meant, and for which not?"
        ),
        Requirement(
            "A.10.2", "Allocation of responsibilities", (), "What do suppliers, makers and users each answer for?"
        ),
        Requirement(
            "A.10.3", "Suppliers", ("packages", "data", "signature"), "How were suppliers of weights and data chosen?"
        ),
        Requirement("A.10.4", "Customers", (), "What were customers promised?"),
    ),
)
