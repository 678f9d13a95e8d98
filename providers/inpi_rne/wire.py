"""What the register sends of a company: a deep tree in which anything may be missing, or null, which is the same."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from providers.base import OneOrMany, Wire


class Sparse(Wire):
    """A part of the tree, whose nulls count as absent."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, sent: Any) -> Any:
        return {name: value for name, value in sent.items() if value is not None} if isinstance(sent, dict) else sent


class Adresse(Sparse):
    """An address."""

    numero: str | None = Field(None, alias="numVoie")
    type_voie: str | None = Field(None, alias="typeVoie")
    voie: str | None = None
    complement: str | None = Field(None, alias="complementLocalisation")
    code_postal: str | None = Field(None, alias="codePostal")
    commune: str | None = None
    pays: str | None = None


class Origine(Sparse):
    """Where an activity comes from."""

    type: str | None = Field(None, alias="typeOrigine")


class Activite(Sparse):
    """An activity of a place of business."""

    est_principale: bool = Field(False, alias="indicateurPrincipal")
    debut: str | None = Field(None, alias="dateDebut")
    forme_exercice: str | None = Field(None, alias="formeExercice")
    code_aprm: str | None = Field(None, alias="codeAprm")
    description: str | None = Field(None, alias="descriptionDetaillee")
    origine: Origine = Field(default_factory=Origine)


class DescriptionEtablissement(Sparse):
    """A place of business, its activities aside."""

    siret: str | None = None
    code_ape: str | None = Field(None, alias="codeApe")
    statut: str | None = Field(None, alias="statutPourFormalite")
    fermeture: str | None = Field(None, alias="dateEffetFermeture")
    effet: str | None = Field(None, alias="dateEffet")
    debut: str | None = Field(None, alias="dateDebutActivite")


class Etablissement(Sparse):
    """A place of business."""

    description: DescriptionEtablissement = Field(
        alias="descriptionEtablissement", default_factory=DescriptionEtablissement
    )
    adresse: Adresse = Field(default_factory=Adresse)
    activites: OneOrMany[Activite] = Field(default_factory=list)

    @property
    def est_ferme(self) -> bool:
        """Closed by its status, or by a date."""
        return self.description.statut == "6" or bool(self.description.fermeture)

    @property
    def activite_principale(self) -> Activite:
        """The main activity; one of which nothing is known, where there is none."""
        return next((one for one in self.activites if one.est_principale), Activite())


class Entreprise(Sparse):
    """What identifies a company."""

    denomination: str | None = None
    forme_juridique: str | None = Field(None, alias="formeJuridique")
    code_ape: str | None = Field(None, alias="codeApe")
    immatriculation: str | None = Field(None, alias="dateImmat")
    debut: str | None = Field(None, alias="dateDebutActiv")
    associe_unique: bool | None = Field(None, alias="indicateurAssocieUnique")


class Description(Sparse):
    """What a company is made of."""

    objet: str | None = None
    cloture: str | None = Field(None, alias="dateClotureExerciceSocial")
    premiere_cloture: str | None = Field(None, alias="datePremiereCloture")
    fin: str | None = Field(None, alias="dateFinExistence")
    dissolution: str | None = Field(None, alias="dateDissolutionDisparition")
    poursuite_activite: bool = Field(False, alias="indicateurPoursuiteActivite")
    montant_capital: float | None = Field(None, alias="montantCapital")
    devise_capital: str = Field("EUR", alias="deviseCapital")
    associe_unique: bool | None = Field(None, alias="indicateurAssocieUnique")


class Individu(Sparse):
    """A natural person."""

    nom: str | None = None
    nom_usage: str | None = Field(None, alias="nomUsage")
    prenoms: list[str] | None = None
    naissance: str | None = Field(None, alias="dateDeNaissance")
    nationalite: str | None = None


class Personne(Sparse):
    """A natural person, with an address."""

    description: Individu = Field(alias="descriptionPersonne", default_factory=Individu)
    domicile: Adresse = Field(alias="adresseDomicile", default_factory=Adresse)


class Identite(Sparse):
    """A company, as it is identified and described; its owner, where it is a sole trader's."""

    entreprise: Entreprise = Field(default_factory=Entreprise)
    description: Description = Field(default_factory=Description)
    entrepreneur: Personne = Field(default_factory=Personne)


class Role(Sparse):
    """A role told by a code, a word, or both."""

    code: str | None = Field(None, alias="rolePersonne")
    denomination: str | None = None


class Pouvoir(Sparse):
    """Somebody who directs or commits a company."""

    actif: bool = True
    type_personne: str | None = Field(None, alias="typeDePersonne")
    role: Role | str | None = Field(None, alias="roleEntreprise")
    individu: Personne | None = None


class Composition(Sparse):
    """Those who direct a company."""

    pouvoirs: OneOrMany[Pouvoir] = Field(default_factory=list)


class ObservationRcs(Sparse):
    """A mention of the commercial register."""

    numero: str | None = Field(None, alias="numObservation")
    ajout: str | None = Field(None, alias="dateAjout")
    texte: str | None = None


class Observations(Sparse):
    """The mentions of the commercial register."""

    rcs: OneOrMany[ObservationRcs] = Field(default_factory=list)


class Inscription(Sparse):
    """A mention of the register of crafts, made of office."""

    effet: str | None = Field(None, alias="dateEffet")
    texte: str | None = Field(None, alias="observationComplementaire")


class AdresseEntreprise(Sparse):
    """Where a company has its seat."""

    adresse: Adresse | None = None


class PersonneInscrite(Sparse):
    """A company, or a sole trader: what is entered in the register."""

    adresse: AdresseEntreprise = Field(alias="adresseEntreprise", default_factory=AdresseEntreprise)
    identite: Identite = Field(default_factory=Identite)
    principal: Etablissement | None = Field(None, alias="etablissementPrincipal")
    autres: OneOrMany[Etablissement] = Field(alias="autresEtablissements", default_factory=list)
    composition: Composition = Field(default_factory=Composition)
    observations: Observations = Field(default_factory=Observations)


Inscrite = Annotated[PersonneInscrite | None, BeforeValidator(lambda sent: sent or None)]
"""An empty object is nobody."""


class Creation(Sparse):
    """How a company came to be."""

    forme_juridique: str | None = Field(None, alias="formeJuridique")
    creation: str | None = Field(None, alias="dateCreation")


class Content(Sparse):
    """The content of a formality."""

    forme_exercice: str | None = Field(None, alias="formeExerciceActivitePrincipale")
    creation: Creation = Field(alias="natureCreation", default_factory=Creation)
    personne_morale: Inscrite = Field(None, alias="personneMorale")
    personne_physique: Inscrite = Field(None, alias="personnePhysique")
    inscriptions: OneOrMany[Inscription] = Field(alias="inscriptionsOffices", default_factory=list)

    @property
    def personne(self) -> PersonneInscrite | None:
        """Whoever is entered."""
        return self.personne_morale or self.personne_physique


class Formality(Sparse):
    """The last state of a company."""

    siren: str | None = None
    diffusion_insee: str | None = Field(None, validation_alias=AliasChoices("diffusionINSEE", "diffusionInsee"))
    diffusion_commerciale: bool = Field(False, alias="diffusionCommerciale")
    content: Content = Field(default_factory=Content)


class Company(Sparse):
    """All that the register knows of a company."""

    siren: str | None = None
    formality: Formality
