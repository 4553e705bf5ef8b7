"""The lifecycle: a shop's pages and annotated photos -> trained, gated, registered models -> try-on pictures."""

from __future__ import annotations

from prefect.task_runners import ThreadPoolTaskRunner

from flows.convert_annotations import convert_annotations
from flows.crawl_garments import crawl_garments
from flows.parameters import ConvertParameters, CrawlParameters, LifecycleParameters, PrepareParameters, TryOnParameters
from flows.prepare_garments import prepare_garments
from flows.reports import Done, report_lifecycle
from flows.stories import HOURS, named, story
from flows.trainings import Trainings
from flows.try_on import try_on
from tasks import annotating
from tasks.caching import Content, Summary, result_storage
from tasks.callbacks import stage
from tasks.checking import Checking
from tasks.clock import Clock
from tasks.crawling import chosen_styles
from tasks.pictures import PEOPLE, prune_folder
from tasks.reporting import Outcome, counted_together, outcome_of
from tasks.serving import own_styles
from tasks.telling import say
from tasks.trying_on import find_photos

DATASET = "garments"


@story(
    LifecycleParameters,
    name="lifecycle",
    run_name=lambda parameters: f"lifecycle of {named(parameters.styles)} ({parameters.preset})",
    task_runner=ThreadPoolTaskRunner(max_workers=8),
    timeout_seconds=168 * HOURS,
)
def lifecycle(parameters: LifecycleParameters) -> Outcome:
    """Crawl, cut out, prepare, convert, train, judge, register, try on, report.

    What a check between two stages blocks is not trained, and named at the end; all else goes on.
    """
    clock, place = Clock(), parameters.place
    styles = chosen_styles(parameters.catalog, parameters.styles)
    names = [style.name for style in styles]
    trainings = Trainings(parameters, styles)  # wrong settings and missing photos are refused now, not after an hour
    find_photos(place, parameters.persons)
    checks = Checking(place, parameters.catalog, names, parameters.check_settings())

    with clock.stage("crawl the shop"):
        going_on = checks.going_on()
        crawled = crawl_garments(parameters.part(CrawlParameters, styles=going_on)).content if going_on else {}
        checks.crawled(going_on, crawled)
    with clock.stage("cut out and prepare"):
        going_on = checks.going_on()
        prepared = prepare_garments(parameters.part(PrepareParameters, styles=going_on)).content if going_on else {}
        checks.cut_out(going_on, prepared)
    with clock.stage("convert annotations"):
        converted = convert_annotations(parameters.part(ConvertParameters, source=parameters.dataset, name=DATASET))
        dataset = annotating.read_dataset(place, DATASET)
        checks.converted(converted, dataset)
    with clock.stage("cut out what people wear"), result_storage(place):
        worn = [] if DATASET in checks.unfit else _cut_worn_garments(parameters, dataset)
    with clock.stage("train, judge, register"), result_storage(place):
        trainings.carry_out(dataset, checks.left_out(DATASET))
        checks.judged(trainings.registered.values())
        checks.show("lifecycle")
    with clock.stage("try on"):
        ready = own_styles(place, names)
        if not ready:
            say("nothing is tried on: of %s no version of your own serves", ", ".join(names))
        tried_on = try_on(parameters.part(TryOnParameters, styles=ready)) if ready else {}
    with stage("write the report"):
        done = Done(crawled, prepared, converted, dataset, worn, trainings, tried_on, checks)
        report = report_lifecycle(parameters, done, clock)
    return outcome_of(place, [converted, trainings.registered, tried_on, report], trainings.failed)


def _cut_worn_garments(parameters: LifecycleParameters, dataset: Content) -> list[Summary]:
    place = parameters.place
    futures = [
        annotating.people_garments_shard.submit(
            workspace=str(place.root),
            dataset=dataset,
            shard=shard,
            size=256,
            flip=True,
        )
        for shard in annotating.plan_people(place, dataset, size=256)
    ]
    records = (future.result() for future in futures)
    done = prune_folder(place.prepared(PEOPLE), records, "cutting out what people wear")
    annotating.show_people(place)
    say("garments people wear: %s", counted_together(done))
    return done
