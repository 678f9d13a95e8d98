"""RNA: the national register of associations, of the ministry of the interior, and the documents filed there."""

from providers.base import Adapter
from providers.rna.associations import associations_v3
from providers.rna.documents import documents_v3

ADAPTER = Adapter(
    slug="rna",
    title="Ministère de l'intérieur : répertoire national des associations",
    endpoints=(associations_v3, documents_v3),
    document_hosts=("associations.gouv.fr",),
)
