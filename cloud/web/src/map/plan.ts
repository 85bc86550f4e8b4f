import L from 'leaflet'
import type { Device, GridCollection, GridProperties } from '@/api/types'
import { token } from '@/theme/theme'
import { deviceLook, gridLook, type Look } from './look'

/** About what a name of six Chinese characters takes. */
const NAME_PX = 88

export interface PlanTexts {
  grid: (grid: GridProperties) => string
  device: (device: Device) => string
}

/** How grids are painted, and the number in each. */
export interface Ground {
  look: (grid: GridProperties, chosen: boolean) => Look
  number: (grid: GridProperties) => { count: number; tone: string }
}

/** As the map of open cases paints them. */
const OPEN_CASES: Ground = { look: gridLook, number: (grid) => ({ count: grid.open_cases, tone: grid.severity ?? '' }) }

export interface PlanEvents {
  pickGrid: (code: string) => void
  pickDevice: (id: number) => void
}

function style(look: Look): L.PathOptions {
  return {
    color: token(look.line),
    weight: look.weight,
    fillColor: token(look.fill),
    fillOpacity: look.opacity,
    ...(look.dash === undefined ? {} : { dashArray: look.dash }),
  }
}

/** Names and numbers come from the service's data: text, never markup. */
function text(content: string, className = ''): HTMLElement {
  const element = document.createElement('span')
  element.textContent = content
  element.className = className
  return element
}

/** The map: grids, their open cases, devices. It needs no tiles, since the grids are the ground. */
export class Plan {
  private readonly map: L.Map
  private readonly numbers = L.layerGroup()
  private readonly markers = L.layerGroup()
  private readonly placed = new Map<number, { marker: L.CircleMarker; drawn: string }>()
  private grids: L.GeoJSON<GridProperties> | null = null
  private shape = ''
  private readonly communities = L.layerGroup()
  private home: L.LatLngBounds | null = null
  private fitting = false
  private moved = false // by the person: then the view is his
  private readonly watcher: ResizeObserver
  private zoom: L.Control.Zoom | null = null

  constructor(
    private readonly element: HTMLElement,
    private readonly texts: PlanTexts,
    private readonly events: PlanEvents,
  ) {
    this.map = L.map(element, {
      preferCanvas: true,
      attributionControl: false,
      zoomControl: false,
      zoomSnap: 0.25,
      minZoom: 8,
      maxZoom: 19,
    })
    this.communities.addTo(this.map)
    this.numbers.addTo(this.map)
    this.markers.addTo(this.map)
    this.map.setView([39.9, 116.4], 12)
    this.map.on('zoomend', () => { this.spareNames() })
    this.map.on('dragstart zoomstart', () => { this.moved ||= !this.fitting })
    this.watcher = new ResizeObserver(() => {
      this.map.invalidateSize({ pan: false })
      if (!this.moved) this.fit()
    })
    this.watcher.observe(element)
  }

  /** The two buttons, in the words of the language that is shown. */
  drawZoom(zoomInTitle: string, zoomOutTitle: string): void {
    this.zoom?.remove()
    this.zoom = L.control.zoom({ position: 'bottomright', zoomInTitle, zoomOutTitle }).addTo(this.map)
  }

  /** Draws the grids; the view stays where it is unless the shapes are new. */
  drawGrids(collection: GridCollection, chosen: string | null, ground: Ground = OPEN_CASES): void {
    const shape = collection.features.map((feature) => feature.properties.code).join()
    this.grids?.remove()
    this.numbers.clearLayers()
    // The generated type knows a geometry only as its name and numbers.
    const shapes = collection as unknown as GeoJSON.FeatureCollection<GeoJSON.MultiPolygon | GeoJSON.Polygon, GridProperties>
    this.grids = L.geoJSON<GridProperties>(shapes, {
      style: (feature) => (feature ? style(ground.look(feature.properties, feature.properties.code === chosen)) : {}),
      onEachFeature: (feature, layer) => {
        const grid = feature.properties
        layer.bindTooltip(() => text(this.texts.grid(grid)), { sticky: true, direction: 'top' })
        layer.on('click', () => { this.events.pickGrid(grid.code) })
        if (layer instanceof L.Polygon) this.label(grid, layer.getBounds(), ground.number(grid))
      },
    }).addTo(this.map)
    // One canvas for all, else the upper one would take the clicks of the lower: so the order of drawing matters.
    for (const { marker } of this.placed.values()) marker.bringToFront()
    if (shape !== this.shape) {
      this.shape = shape
      this.moved = false
      const bounds = this.grids.getBounds()
      this.home = bounds.isValid() ? bounds : null
      this.fit()
      this.spareNames()
    }
  }

  /** Draws the outlines of communities with their names: where one is, before one asks which grid. */
  drawCommunities(collection: GridCollection): void {
    this.communities.clearLayers()
    const shapes = collection as unknown as GeoJSON.FeatureCollection<GeoJSON.MultiPolygon | GeoJSON.Polygon, GridProperties>
    const outline = { color: token('line-strong'), weight: 2.5, fill: false, interactive: false }
    L.geoJSON<GridProperties>(shapes, {
      style: () => outline,
      onEachFeature: (feature, layer) => {
        if (!(layer instanceof L.Polygon)) return
        const icon = L.divIcon({ className: 'community-label', html: text(feature.properties.name), iconSize: [0, 0] })
        L.marker(layer.getBounds().getCenter(), { icon, interactive: false, keyboard: false }).addTo(this.communities)
      },
    }).addTo(this.communities)
  }

  /** Places the devices that have a position; known ones are moved and repainted. */
  drawDevices(devices: readonly Device[]): void {
    const left = new Set(this.placed.keys())
    for (const device of devices) {
      if (device.longitude === null || device.latitude === null) continue
      left.delete(device.id)
      const place: L.LatLngTuple = [device.latitude, device.longitude]
      const look = style(deviceLook(device.presence))
      const label = this.texts.device(device)
      // Readings arrive each second and change nothing here.
      const drawn = JSON.stringify([place, look, label])
      const known = this.placed.get(device.id)
      if (known?.drawn === drawn) continue
      const marker = known?.marker ?? this.mark(device.id, place)
      marker.setLatLng(place).setStyle(look).setTooltipContent(text(label))
      this.placed.set(device.id, { marker, drawn })
    }
    for (const id of left) {
      this.placed.get(id)?.marker.remove()
      this.placed.delete(id)
    }
  }

  private fit(): void {
    if (this.home === null || this.element.clientWidth === 0) return
    this.fitting = true
    this.map.fitBounds(this.home, { padding: [24, 24], animate: false })
    this.fitting = false
  }

  remove(): void {
    this.watcher.disconnect()
    this.map.remove()
  }

  private mark(id: number, place: L.LatLngTuple): L.CircleMarker {
    const marker = L.circleMarker(place, { radius: 6 })
    marker.bindTooltip('', { direction: 'top', offset: [0, -6] })
    marker.on('click', () => { this.events.pickDevice(id) })
    return marker.addTo(this.markers)
  }

  /** Name and number along the upper edge: the middle belongs to the devices. */
  private label(grid: GridProperties, bounds: L.LatLngBounds, number: { count: number; tone: string }): void {
    const content = document.createElement('div')
    content.append(text(grid.name, 'grid-name'))
    if (number.count > 0) content.append(text(String(number.count), `grid-number ${number.tone}`))
    const icon = L.divIcon({ className: 'grid-label', html: content, iconSize: [0, 0] })
    const at = L.latLng(bounds.getNorth(), bounds.getCenter().lng)
    L.marker(at, { icon, interactive: false, keyboard: false }).addTo(this.numbers)
  }

  /** Names only where a grid is wide enough to hold one. */
  private spareNames(): void {
    const first = this.grids?.getLayers().find((layer) => layer instanceof L.Polygon)?.getBounds()
    const width = first === undefined ? 0 : this.map.latLngToContainerPoint(first.getNorthEast()).x - this.map.latLngToContainerPoint(first.getNorthWest()).x
    this.element.classList.toggle('no-names', width < NAME_PX)
  }
}
