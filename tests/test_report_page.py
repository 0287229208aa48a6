"""The page in a real Chromium: no complaints, controls by mouse and keyboard, narrow screens, MLflow's frame."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, errors, programs, resize

from nnexp.report.material import load_material
from nnexp.report.page import render


@pytest.fixture(scope="module")
def page(swept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    programs()
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(load_material(uri=f"sqlite:///{swept / 'runs' / 'mlflow.db'}")), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def window(page: Path) -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(window: Any, page: Path) -> Iterator[Any]:
    resize(window, 1280)
    window.get(page.as_uri())
    yield window
    assert errors(window) == []


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def chart_label(browser: Any) -> str:
    return str(one(browser, "#curve-chart svg[role=img]").get_attribute("aria-label"))


def pixels(browser: Any) -> str:
    """All canvases as one text."""
    script = "return Array.from(document.querySelectorAll('canvas')).map(c => c.toDataURL()).join()"
    return str(browser.execute_script(script))


def test_nothing_is_asked_of_the_network(browser: Any) -> None:
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in asked if not name.startswith("data:")] == []


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_screen(browser: Any, width: int) -> None:
    resize(browser, width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    wide = browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done("
        "[document.documentElement.scrollWidth, innerWidth])))"
    )
    assert wide == [width, width]
    # Text of charts is drawn at its own size, not shrunk with the picture.
    scale = browser.execute_script(
        "const s = document.querySelector('#curve-chart svg[role=img]');"
        "return s.getBoundingClientRect().width / s.viewBox.baseVal.width"
    )
    assert scale == pytest.approx(1, abs=0.02)


def test_the_axis_is_switched_by_mouse_and_by_keyboard(browser: Any) -> None:
    assert chart_label(browser).startswith("validation loss against iterations")
    one(browser, "input[name=curve-axis][value=evaluations]").click()
    assert "against evaluations (forward passes)" in chart_label(browser)
    one(browser, "input[name=curve-axis][value=evaluations]").send_keys("\ue014")  # the right arrow
    assert "against training time (s)" in chart_label(browser)
    assert one(browser, "input[name=curve-axis]:checked").get_attribute("value") == "seconds"


def test_measure_and_task_switch_all_charts_that_show_them(browser: Any) -> None:
    from selenium.webdriver.support.ui import Select

    before = one(browser, "#final-chart").get_attribute("innerHTML")
    Select(one(browser, "#curves select[data-control=measure]")).select_by_value("accuracy")
    assert chart_label(browser).startswith("training accuracy")
    assert Select(one(browser, "#finals select[data-control=measure]")).first_selected_option.text.startswith(
        "training accuracy"
    )
    picture = pixels(browser)
    tasks = Select(one(browser, "#curves select[data-control=task]"))
    tasks.select_by_index(1 - tasks.options.index(tasks.first_selected_option))
    assert one(browser, "#final-chart").get_attribute("innerHTML") != before
    wait_until(browser, lambda: pixels(browser) != picture)


def wait_until(browser: Any, true: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 10).until(lambda _: true())


def test_the_slider_moves_boundaries_and_marks(browser: Any) -> None:
    slider, text = one(browser, "#moment"), one(browser, "#moment-text")
    assert text.text == "60 iterations"
    wait_until(browser, lambda: len(pixels(browser)) > 20_000)
    end, mark = pixels(browser), one(browser, "circle[data-method=sgd]").get_attribute("cx")
    slider.send_keys("\ue011")  # Home
    assert text.text == "0 iterations"
    assert slider.get_attribute("aria-valuetext") == "0 iterations"
    assert pixels(browser) != end
    assert one(browser, "circle[data-method=sgd]").get_attribute("cx") != mark
    # All begin at the same weights: the start is one picture and one loss.
    losses = {element.text for element in browser.find_elements("css selector", ".boundaries .loss")}
    assert len(losses) == 1
    slider.send_keys("\ue014" * 3)
    assert text.text != "0 iterations"
    one(browser, "input[name=inside-clock][value=seconds]").click()
    assert text.text.endswith(" s")


def test_play_moves_the_clock_and_stops_at_the_end(browser: Any) -> None:
    slider, play = one(browser, "#moment"), one(browser, "#play")
    play.send_keys(" ")
    assert play.text == "Pause"
    wait_until(browser, lambda: int(slider.get_attribute("value")) > 2)
    play.send_keys(" ")
    assert play.get_attribute("aria-pressed") == "false"
    end = int(slider.get_attribute("max"))
    browser.execute_script("arguments[0].value = arguments[1]", slider, end - 2)
    play.click()
    wait_until(browser, lambda: play.text == "Play")
    assert int(slider.get_attribute("value")) == end


def test_values_are_read_with_the_arrow_keys(browser: Any) -> None:
    chart, read = one(browser, "#curve-chart svg[role=img]"), one(browser, "#curve-chart output")
    browser.execute_script("arguments[0].focus()", chart)
    assert read.text.startswith("iterations 60:")
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys("\ue011").perform()
    assert read.text.startswith("iterations 0:")
    assert "sgd" in read.text


def test_a_method_is_hidden_by_its_name(browser: Any) -> None:
    def lines() -> int:
        return len(browser.find_elements("css selector", "#curve-chart svg[role=img] path[fill=none]"))

    before = lines()
    one(browser, "#curve-chart .legend button").send_keys("\n")
    assert lines() == before - 1
    assert one(browser, "#curve-chart .legend button").get_attribute("aria-pressed") == "false"
    assert browser.execute_script("return document.activeElement.closest('.legend') !== null")


def test_tables_are_sorted_by_their_heads(browser: Any) -> None:
    def column() -> list[float]:
        rows = browser.find_elements("css selector", ".paper tbody tr")
        return [float(row.find_elements("css selector", "td")[0].get_attribute("data-sort")) for row in rows]

    head = browser.find_elements("css selector", ".paper thead button")[1]
    head.click()
    assert column() == sorted(column())
    head.send_keys("\n")
    assert column() == sorted(column(), reverse=True)
    state = browser.find_elements("css selector", ".paper thead th")[1].get_attribute("aria-sort")
    assert state == "descending"


def test_equal_cost_switches_the_tables(browser: Any) -> None:
    def shown() -> list[str]:
        return [
            e.get_attribute("data-axis")
            for e in browser.find_elements("css selector", ".equal")
            if e.is_displayed()
        ]

    assert shown() == ["iteration"]
    one(browser, "input[name=table-axis][value=seconds]").click()
    assert shown() == ["seconds"]


def test_runs_are_filtered(browser: Any) -> None:
    one(browser, "#runs summary").click()
    one(browser, "#filter").send_keys("sgd vertical")
    assert one(browser, "#filter-count").text == "3 of 17 rows"


def test_everything_is_reached_by_tab_and_named(browser: Any) -> None:
    from selenium.webdriver import ActionChains

    seen = set()
    for _ in range(150):
        ActionChains(browser).send_keys("\ue004").perform()
        at = browser.execute_script(
            "const e = document.activeElement;"
            "const label = e.labels && e.labels[0] ? e.labels[0].textContent : '';"
            "return [e.id || e.name || e.getAttribute('class') || e.tagName,"
            " (e.getAttribute('aria-label') || e.textContent || label).trim(), getComputedStyle(e).outlineStyle]"
        )
        if at[0] == "BODY":
            break
        assert at[1], f"{at[0]} has no name"
        assert at[2] != "none", f"{at[0]} shows no focus"
        seen.add(at[0])
    assert {"moment", "play", "curve-axis", "inside-clock", "table-axis", "skip"} <= seen


def test_it_runs_in_a_sandboxed_frame_as_mlflow_shows_it(window: Any, page: Path, tmp_path: Path) -> None:
    frame = tmp_path / "frame.html"
    inner = html.escape(page.read_text("utf-8"), quote=True)
    frame.write_text(
        f'<!DOCTYPE html><iframe sandbox="allow-scripts" width="900" height="700" srcdoc="{inner}"></iframe>'
    )
    window.get(frame.as_uri())
    window.switch_to.frame(0)
    assert chart_label(window).startswith("validation loss against iterations")
    one(window, "#moment").send_keys("\ue011")
    assert one(window, "#moment-text").text == "0 iterations"
    window.switch_to.default_content()
    assert errors(window) == []
