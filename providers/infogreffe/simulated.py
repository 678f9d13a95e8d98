"""Infogreffe, simulated: the extract of a company as XML in a SOAP envelope, or a coded text in its place."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from lxml import etree
from starlette.responses import Response

from providers.base.xml import Element, NotXml, parse
from providers.infogreffe.produits import ENCODING, INSTANCE, OPERATION, SCHEMA, SOAP
from providers.simulator.company import Address, Company, Officer, Person
from providers.simulator.routes import Incoming, Simulated
from providers.simulator.world import World

MONTHS = (
    "JANVIER", "FEVRIER", "MARS", "AVRIL", "MAI", "JUIN",
    "JUILLET", "AOUT", "SEPTEMBRE", "OCTOBRE", "NOVEMBRE", "DECEMBRE",
)  # fmt: skip
FORMS = {
    "5499": ("SOCIETE A RESPONSABILITE LIMITEE", "SARLh"),
    "5498": ("SOCIETE A RESPONSABILITE LIMITEE A ASSOCIE UNIQUE", "SARLUh"),
    "5599": ("SOCIETE ANONYME", "SAh"),
    "5710": ("SOCIETE PAR ACTIONS SIMPLIFIEE", "SASh"),
    "5720": ("SOCIETE PAR ACTIONS SIMPLIFIEE A ASSOCIE UNIQUE", "SASUh"),
}
LIFE_YEARS = 99

NOT_FOUND = "006 -DOSSIER NON TROUVE DANS LA BASE DE GREFFES-"
NOT_ENTERED = "081 -DOCUMENT INDISPONIBLE POUR LES NON INSCRITS AU RCS-"
WRONG_SUBSCRIBER = "003 -CODE ABONNE OU MOT DE PASSE INVALIDE-"


def products(call: Incoming) -> Response:
    """`/WSContextInfogreffe/INFOGREFFE`."""
    try:
        asked = parse(call.body)
    except NotXml:
        return _envelope("999 -SERVICE INDISPONIBLE-")
    if not (asked.findtext(".//code_abonne") and asked.findtext(".//mot_passe")):
        return _envelope(WRONG_SUBSCRIBER)
    company = call.world.company(asked.findtext(".//num_siren") or "")
    if company is None:
        return _envelope(NOT_FOUND)
    if not company.is_trading:
        return _envelope(NOT_ENTERED)
    return _envelope(_Extract(company, call.world, call.today).element())


def _envelope(content: str | Element) -> Response:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"SOAP-ENV": SOAP, "xsi": INSTANCE, "xsd": SCHEMA})
    body = etree.SubElement(root, f"{{{SOAP}}}Body")
    answer = etree.SubElement(body, f"{{urn:local}}{OPERATION}Response", nsmap={"ns0": "urn:local"})
    answer.set(f"{{{SOAP}}}encodingStyle", ENCODING)
    returned = etree.SubElement(answer, "return")
    returned.set(f"{{{INSTANCE}}}type", "xsd:string")
    if isinstance(content, str):
        returned.text = content
    else:
        returned.append(content)
    written = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Response(written, 200, {"set-cookie": "BIGIPSESSION=fictive; path=/"}, "text/xml; charset=UTF-8")


class _Extract:
    """The extract of one company, and the addresses it refers to."""

    def __init__(self, company: Company, world: World, today: date) -> None:
        self._company = company
        self._world = world
        self._today = today
        self._addresses: list[Address] = []

    def element(self) -> Element:
        company = self._company
        extract = etree.Element("Extrait", type="1" if company.person else "2")
        dossier = etree.SubElement(
            extract,
            "dossier",
            id_adr_greffe="AD0",
            date_immat=_words(company.created),
            dateISO_immat=company.created.isoformat(),
            date_extrait=_words(self._today),
        )
        self._entreprise(dossier)
        if company.dirigeants and not company.person:
            officers = etree.SubElement(dossier, "liste_dirigeant")
            for officer in company.dirigeants:
                self._dirigeant(officers, officer)
        self._observations(dossier)
        self._etablissements(dossier)
        if company.ceased:
            ended = etree.SubElement(dossier, "radiation")
            etree.SubElement(ended, "date_radiation", dateISO=company.ceased.isoformat()).text = _words(company.ceased)
        for number, adresse in enumerate(self._addresses, start=1):
            _adresse(extract, f"AD{number}", adresse)
        return extract

    def _refer(self, adresse: Address) -> str:
        """What an address is referred to by."""
        self._addresses.append(adresse)
        return f"AD{len(self._addresses)}"

    def _entreprise(self, dossier: Element) -> None:
        company = self._company
        entreprise = etree.SubElement(dossier, "entreprise", id_adr_siege=self._refer(company.siege.adresse))
        etree.SubElement(entreprise, "greffe", code=company.greffe[0]).text = company.greffe[1]
        etree.SubElement(entreprise, "num_ident", siren=company.siren)
        number = etree.SubElement(entreprise, "num_gest", numGreffe=company.greffe[0])
        etree.SubElement(number, "millesime").text = str(company.created.year)
        etree.SubElement(number, "statut").text = "A" if company.person else "B"
        etree.SubElement(number, "chrono").text = company.siren[-6:-1]
        if company.person:
            entreprise.append(self._pp(company.person))
        else:
            entreprise.append(self._pm())

    def _pm(self) -> Element:
        company = self._company
        name, code = FORMS.get(company.categorie_juridique, ("AUTRE PERSONNE MORALE", "AUTh"))
        pm = etree.Element("pm", forme_juridique=name, codeFormeJuridique=code)
        etree.SubElement(pm, "denomination").text = company.name
        amount = etree.SubElement(
            etree.SubElement(pm, "capital"), "montant", devise="EUROS", codeDevise="EUR", valeur=str(company.capital)
        )
        amount.text = f"{company.capital:,}".replace(",", " ") + ",00"
        ends = company.created.replace(year=company.created.year + LIFE_YEARS) - timedelta(days=1)
        lasting = etree.SubElement(pm, "duree_ste")
        etree.SubElement(lasting, "valeur_duree", dateISO=ends.isoformat()).text = f"JUSQU'AU {_words(ends)}"
        closing = date(2023, company.closing_month % 12 + 1, 1) - timedelta(days=1)
        etree.SubElement(pm, "date_cloture", dateISO=f"{closing:%m-%d}")
        etree.SubElement(pm, "acte_const")
        return pm

    def _pp(self, person: Person) -> Element:
        civilite = "MONSIEUR" if person.civilite == "M" else "MADAME"
        pp = etree.Element(
            "pp",
            nationalite=person.nationalite,
            codeNationalite="FR",
            adresse=self._refer(person.adresse),
            civilite=civilite,
        )
        etree.SubElement(pp, "nom").text = person.nom
        etree.SubElement(pp, "prenom").text = " ".join(person.prenoms)
        if person.nom_usage:
            etree.SubElement(pp, "nom_usage").text = person.nom_usage
        born = etree.SubElement(pp, "naissance", pays="FRANCE", codePays="FR")
        etree.SubElement(born, "date", dateISO=person.naissance.isoformat()).text = _words(person.naissance)
        etree.SubElement(born, "lieu").text = person.commune_naissance
        return pp

    def _dirigeant(self, officers: Element, officer: Officer) -> None:
        if officer.person:
            dirigeant = etree.SubElement(officers, "dirigeant", type="PP", refugie="0")
            etree.SubElement(dirigeant, "qualite", code=f"R{officer.role}").text = officer.qualite.upper()
            dirigeant.append(self._pp(officer.person))
            return
        dirigeant = etree.SubElement(officers, "dirigeant", type="PM")
        etree.SubElement(dirigeant, "qualite", code=f"R{officer.role}").text = officer.qualite.upper()
        owner = self._world.company(officer.siren) if officer.siren else None
        adresse = (owner or self._company).siege.adresse
        pm = etree.SubElement(dirigeant, "pm", adresse_siege=self._refer(adresse))
        etree.SubElement(pm, "denomination").text = owner.name if owner else officer.denomination
        greffe = (owner or self._company).greffe
        etree.SubElement(pm, "greffe", code=greffe[0]).text = greffe[1]
        etree.SubElement(pm, "num_ident").text = officer.siren

    def _observations(self, dossier: Element) -> None:
        found = list(_mentions(self._company))
        if not found:
            return
        observations = etree.SubElement(dossier, "liste_observations")
        for number, (on, text) in enumerate(found, start=1):
            observation = etree.SubElement(observations, "observation", dateISO=on.isoformat(), numero=str(number))
            etree.SubElement(observation, "libelle", position="1").text = f" {text} "

    def _etablissements(self, dossier: Element) -> None:
        for place in self._company.etablissements:
            if place.closed and not self._company.ceased:
                continue
            element = etree.SubElement(
                dossier,
                "etablissement",
                type="1" if place.is_siege else "2",
                mode="0",
                adresse=self._refer(place.adresse),
            )
            if place.enseignes:
                etree.SubElement(element, "nom_commercial").text = place.enseignes[0]
            activity = etree.SubElement(
                element, "activite", date_debut=_words(place.opened), dateISO_debut=place.opened.isoformat()
            )
            activity.text = place.activity.word
            etree.SubElement(element, "origine_fonds").text = "CREATION"
            etree.SubElement(element, "mode_exploit").text = "EXPLOITATION DIRECTE"
            etree.SubElement(element, "codeAPE").text = place.activity.naf.replace(".", "")


def _mentions(company: Company) -> Iterator[tuple[date, str]]:
    if company.former:
        yield company.former.until, f"ANCIENNE DENOMINATION : {company.former.name} (MENTION FICTIVE)"
    if company.ceased:
        yield company.ceased, "CESSATION TOTALE D'ACTIVITE (MENTION FICTIVE)"


def _adresse(extract: Element, identifier: str, adresse: Address) -> None:
    told: dict[str, Any] = {
        "nompostal": None,
        "numero": adresse.numero_voie,
        "type": adresse.type_voie,
        "voie": f"{adresse.libelle_voie} ",
        "ligne1": adresse.complement,
        "ligne2": f"{adresse.voie} ",
        "localite": None,
        "code_postal": adresse.code_postal,
        "bureau_distributeur": adresse.libelle_commune or adresse.commune_etrangere,
        "pays": adresse.libelle_pays,
    }
    element = etree.SubElement(extract, "adresse", id=identifier)
    for name, value in told.items():
        etree.SubElement(element, name).text = value


def _words(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


ROUTES = (Simulated(method="POST", path="/WSContextInfogreffe/INFOGREFFE", handler=products),)
