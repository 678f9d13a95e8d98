"""The items of a balance sheet that Banque de France names in its own words, under the codes of the tax forms.

Labels are those of DGFIP's dictionary of forms, of which Banque de France sends nothing; they have not changed since
2006, but for two items that the dictionary took in later.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Poste:
    """An item: where it stands in the tax forms, and the names of its amount and of its evolution on the wire.

    `labelled_from` is the first year in which the dictionary knows it.
    """

    imprime: str
    code_nref: str
    amount: str
    evolution: str
    code: str
    code_absolu: str
    intitule: str
    labelled_from: int = 0

    @property
    def code_edi(self) -> str:
        """Its code in electronic filings: all are amounts of the same kind."""
        return f"{self.code}:C516:5004:1"


POSTES = (
    Poste(
        "2051",
        "300476",
        "totalPassif",
        "evolutionTotalPassif",
        "EE",
        "2000536",
        "Total général bilan passif n , exercice n total i + total ii + total iii + total iv + total v",
    ),
    Poste(
        "2051",
        "300438",
        "capitauxPropresEtAssimiles",
        "evolutionCapitauxPropresEtAssimiles",
        "DL",
        "2000497",
        "Total (i) exercice n , total des capitaux propres n",
    ),
    Poste(
        "2051",
        "300414",
        "dontCapitalSocial",
        "evolutionDontCapitalSocial",
        "DA",
        "2000472",
        "Capital social ou individuel n",
    ),
    Poste(
        "2051",
        "302359",
        "totalProvisionsPourRisquesEtCharges",
        "evolutionTotalProvisionsPourRisquesEtCharges",
        "DR",
        "2002767",
        "Total (iii) exercice n , total des provisions pour risques et charges n",
    ),
    Poste(
        "2051",
        "300451",
        "dettes1EmpruntsObligatairesEtConvertibles",
        "evolutionDettes1EmpruntsObligatairesEtConvertibles",
        "DS",
        "2000511",
        "Emprunts obligataires convertibles n",
    ),
    Poste(
        "2051",
        "300453",
        "dettes2AutresEmpruntsObligataires",
        "evolutionDettes2AutresEmpruntsObligataires",
        "DT",
        "2000513",
        "Autres emprunts obligataires n",
    ),
    Poste(
        "2051",
        "300455",
        "dettes3EmruntsEtDettesAupresDesEtablissementsdeCredit",  # misspelt so on the wire, its evolution not
        "evolutionDettes3EmpruntsEtDettesAupresDesEtablissementsdeCredit",
        "DU",
        "2000515",
        "Emprunts et dettes auprès des établissements de crédit n",
    ),
    Poste(
        "2051",
        "300458",
        "empruntsEtDettesFinancieresDivers",
        "evolutionEmpruntsEtDettesFinancieresDivers",
        "DV",
        "2000518",
        "Emprunts et dettes financières divers n",
    ),
    Poste(
        "2052",
        "300506",
        "caHT",
        "evolutionCaHT",
        "FL",
        "2000566",
        "Produits d'exploitation chiffre d'affaires net total",
        labelled_from=2014,
    ),
    Poste(
        "2053",
        "300606",
        "resultatExercice",
        "evolutionResultatExercice",
        "HN",
        "2000666",
        "5 - bénéfice ou perte (total des produits - total des charges)",
        labelled_from=2015,
    ),
    Poste(
        "2057",
        "301195",
        "groupesEtAssocies",
        "evolutionGroupesEtAssocies",
        "VI",
        "2001265",
        "Dettes groupe, communauté d'exploitation et associés, montant brut",
    ),
)
"""In the order of the answer."""

IMPRIMES = tuple(dict.fromkeys(poste.imprime for poste in POSTES))
"""The forms, in the order of the answer."""
